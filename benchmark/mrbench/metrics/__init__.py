"""Metrics: functions ``(target, prediction, *, data_range, mask=None)`` on numpy arrays, usable without the harness.

``from mrbench.metrics import ssim``. The range of intensities has no default anywhere. What an undefined value is (an
empty mask, a label that is in neither map) is said by each function; none is left to a division by zero. Loops are
compiled by numba on first use and kept on disk, so that the first call on a machine takes seconds longer;
`compile_kernels` does it ahead.
"""

from mrbench.metrics.ahead import compile_kernels
from mrbench.metrics.deformation import (
    compose,
    endpoint_error_mm,
    folds_percent,
    jacobian_determinant,
    non_diffeomorphic_volume_percent,
    sd_log_jacobian,
    warp,
)
from mrbench.metrics.distribution import (
    copy_margins,
    frechet_distance,
    kernel_mmd,
    nearest_correlations,
    pair_ms_ssim,
    precision_recall,
)
from mrbench.metrics.image import (
    HIGHEST_PSNR,
    image_scores,
    mae,
    nmse,
    psnr,
    ssim,
    ssim_3d,
    ssim_map,
    volume_ssim,
)
from mrbench.metrics.information import mutual_information, shifted_mutual_information
from mrbench.metrics.overlap import LabelOverlap, dice, dice_per_label, hd95_mm, hd95_per_label, merge_labels
from mrbench.metrics.sharpness import gmsd, hfen, sharpness_ratio
from mrbench.metrics.slabs import Turned, folds_percent_by_slabs, image_scores_by_slabs, label_overlap_by_slabs

__all__ = [
    "HIGHEST_PSNR",
    "LabelOverlap",
    "Turned",
    "compile_kernels",
    "compose",
    "copy_margins",
    "dice",
    "dice_per_label",
    "endpoint_error_mm",
    "folds_percent",
    "folds_percent_by_slabs",
    "frechet_distance",
    "gmsd",
    "hd95_mm",
    "hd95_per_label",
    "hfen",
    "image_scores",
    "image_scores_by_slabs",
    "jacobian_determinant",
    "kernel_mmd",
    "label_overlap_by_slabs",
    "mae",
    "merge_labels",
    "mutual_information",
    "nearest_correlations",
    "nmse",
    "non_diffeomorphic_volume_percent",
    "pair_ms_ssim",
    "precision_recall",
    "psnr",
    "sd_log_jacobian",
    "sharpness_ratio",
    "shifted_mutual_information",
    "ssim",
    "ssim_3d",
    "ssim_map",
    "volume_ssim",
    "warp",
]
