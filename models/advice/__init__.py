"""What to do about a diagnosis: fact, meaning, action, deadline, how to confirm, as keys and numbers."""

from .advise import Advice, advise, advise_all

__all__ = ["Advice", "advise", "advise_all"]
