"""`python -m distiller`: the command line."""

from distiller.cli import main

if __name__ == "__main__":
    main()
