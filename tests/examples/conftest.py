"""Makes the programs importable, as they are beside each other."""

import sys
from pathlib import Path
from types import ModuleType

_EXAMPLES = Path("examples").absolute()
sys.path[:0] = [str(_EXAMPLES), str(_EXAMPLES / "bridge")]


class CustomLogger:
    """What a LiteLLM callback inherits, in as much as ours uses it: LiteLLM is too heavy to install for that."""


for name in ("litellm", "litellm.integrations", "litellm.integrations.custom_logger"):
    sys.modules[name] = ModuleType(name)
sys.modules["litellm.integrations.custom_logger"].__dict__["CustomLogger"] = CustomLogger
