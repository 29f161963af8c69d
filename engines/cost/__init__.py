"""Cost: records, prices, totals, judgements."""
