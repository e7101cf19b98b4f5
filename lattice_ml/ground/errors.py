"""The one exception that a user is meant to see."""


class UserError(Exception):
    """A mistake that the person at the keyboard can mend.

    Its message is one sentence: what was given, what is allowed, what to type instead. The entry
    scripts print that sentence and exit with code 2; nothing else is shown.
    """
