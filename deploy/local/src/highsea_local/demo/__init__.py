"""The demo: a workbook of a thousand customers, what `make run` does with it, and the story `make demo` tells."""
