"""Datasets give subjects: the simulated cohort, public sets, folders of the user's own.

A new dataset is one file here with a subclass of `mrbench.data.dataset.Dataset`, one split file under
``splits/``, and one line in `mrbench.data.catalog`.
"""
