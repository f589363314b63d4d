"""What runs inside the cage, sent there as text: standard library only, any Python >= 3.9.

Its modules import nothing of the package but each other, and nothing outside imports them, so
that what guards a command can be read on its own (study/sandbox.md, section 4).
"""
