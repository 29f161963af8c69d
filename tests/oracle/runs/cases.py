"""What runs say: the numbers of `spec/patterns.md` §2 that CONTRACT §7 leaves standing, as a table."""

from tests.oracle.runs.cases_activations import ACTIVATIONS
from tests.oracle.runs.cases_failures import PATTERNS
from tests.oracle.runs.cases_fates import FATES
from tests.oracle.runs.cases_likelihoods import LIKELIHOODS
from tests.oracle.runs.cases_overruns import OVERRUNS
from tests.oracle.runs.cases_spikes import SPIKES
from tests.oracle.runs.cases_statuses import STATUSES

CASES = [*SPIKES, *PATTERNS, *ACTIVATIONS, *LIKELIHOODS, *OVERRUNS, *STATUSES, *FATES]
"""All rows; names are unique."""
