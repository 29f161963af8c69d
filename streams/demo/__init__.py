"""``outlay demo``: the whole of Outlay on one machine with nothing but Python, on five weeks made up for it."""
