"""aifactory: software that writes software, unattended, on code that matters."""

__version__ = "0.1.0"
