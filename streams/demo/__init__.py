"""``outlay demo``: the whole of Outlay on one machine with nothing but Python, on a month made up for it."""
