"""The tables of experiments, one module a form."""
