"""mrbench: a benchmark and evaluation harness for MRI deep learning beyond segmentation."""

from mrbench.core.method import Method, method

__version__ = "0.1.0"

__all__ = ["Method", "__version__", "method"]
