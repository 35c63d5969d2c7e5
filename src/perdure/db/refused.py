"""Values of callers that drivers do not take: told to them, for no other rule of ours has refused them."""

from sqlalchemy.exc import StatementError

from perdure.kit.errors import InvalidArgument

NUL = {"22021", "22P05"}
UNFIT = {"22000", "22003", "22008"}  # any, by the driver itself; a number or a time out of range


def refusal(error: BaseException) -> InvalidArgument | None:
    """What to tell of an error whose cause is a value; None for any other."""
    cause = (error.orig if isinstance(error, StatementError) else None) or error
    state = getattr(cause, "sqlstate", None)
    if state in NUL:
        return InvalidArgument("A text has a character that cannot be stored (NUL).")
    by_driver = isinstance(cause, TypeError) or state in UNFIT
    if isinstance(cause, UnicodeEncodeError) or (by_driver and "surrogates" in str(cause)):
        return InvalidArgument("A text has half a character (a surrogate without its other half).")
    if isinstance(cause, OverflowError) or (state in UNFIT and "out of" in str(cause)):
        return InvalidArgument("A number or a time is larger than any that can be stored.")
    return None
