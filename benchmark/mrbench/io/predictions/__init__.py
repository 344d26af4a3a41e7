"""Predictions made elsewhere: which file is which case's, in which format, and what it means.

`matching` finds the case that a file belongs to, `formats` tells formats apart by looking into the files, `fields` and
`images` read and write them.
"""
