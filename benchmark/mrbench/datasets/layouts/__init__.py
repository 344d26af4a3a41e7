"""Published layouts of volumes, each read into the form of a table; one module a layout."""
