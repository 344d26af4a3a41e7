"""The losses that adversaries of image translation share."""

from __future__ import annotations

from torch import Tensor


def least_squares(verdict: Tensor, *, real: bool) -> Tensor:
    """Mean square of how far a discriminator's verdict is from 1, or from 0 for what should be found made.

    References
    ----------
    Mao et al., Least squares generative adversarial networks, ICCV 2017.
    """
    return ((verdict - float(real)) ** 2).mean()


def least_squares_adversary(real: Tensor, generated: Tensor) -> Tensor:
    """Loss of the discriminator itself on its verdicts of both, halved as published."""
    return 0.5 * (least_squares(real, real=True) + least_squares(generated, real=False))
