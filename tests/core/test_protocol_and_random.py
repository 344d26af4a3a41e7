"""Protocol hashes and seeds by purpose."""

from __future__ import annotations

import numpy as np

from mrbench.core.protocol import Protocol
from mrbench.core.random import rng_for


def test_protocol_hash_depends_on_content_not_on_order() -> None:
    first = Protocol("p", 1, {"a": 1, "b": 2})
    assert first.hash == Protocol("p", 1, {"b": 2, "a": 1}).hash
    assert first.hash != Protocol("p", 1, {"a": 1, "b": 3}).hash
    assert first.hash != Protocol("p", 2, {"a": 1, "b": 2}).hash


def test_draws_depend_on_name_and_purpose_alone() -> None:
    one = rng_for("case", "mask").random(4)
    rng_for("other", "mask").random(100)
    np.testing.assert_array_equal(one, rng_for("case", "mask").random(4))
    assert not np.array_equal(one, rng_for("case", "noise").random(4))
    assert not np.array_equal(one, rng_for("case", "mask", seed=1).random(4))


def test_draws_are_the_same_on_every_machine() -> None:
    np.testing.assert_allclose(rng_for("case", "mask").random(3), GOLDEN, rtol=0, atol=1e-15)


GOLDEN = [0.5606807714905612, 0.6406958775312248, 0.4265845495288134]
