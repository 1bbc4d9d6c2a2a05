"""Files of any size -> the same files with their answers: `python -m serving score`."""
