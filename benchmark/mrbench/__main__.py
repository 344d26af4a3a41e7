"""`python -m mrbench` is the same as `mrbench`."""

from mrbench.cli import main

if __name__ == "__main__":
    main()
