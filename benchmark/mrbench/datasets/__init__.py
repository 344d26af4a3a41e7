"""One module a dataset: named cohorts, and folders of the user's own."""
