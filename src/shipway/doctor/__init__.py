"""`shipway doctor`: looks at every part of the Shipway on this machine, and says how to mend it.

`model` holds what is seen and decides what it means; the other modules look, and `mending` does
what is safe.
"""
