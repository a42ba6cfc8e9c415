"""``python -m bnstudy``: the command line where the command ``bnstudy`` is not on the path."""

from bnstudy.cli import main

if __name__ == "__main__":  # worker processes import the main module too
    main()
