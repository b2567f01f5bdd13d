"""What `make test` leaves out of this folder."""

import os

from tests.support.desk_served import WHOLE

collect_ignore = [] if os.environ.get(WHOLE) else ["test_schema_at_length.py"]
