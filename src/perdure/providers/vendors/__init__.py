"""Vendors of models, behind `ModelClient`: how to open one, warm it up, and list what it has.

Three wire formats are ours (`chat`, `responses`, `anthropic`), because nearly all traffic goes through
them and a call must cost little; the others go through pydantic-ai (`bridge`), loaded when first needed.
"""

from perdure.providers.vendors.http import close_pool
from perdure.providers.vendors.listing import list_models
from perdure.providers.vendors.open import open_client, warm

__all__ = ["close_pool", "list_models", "open_client", "warm"]
