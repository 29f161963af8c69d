"""What varies in an error text: the steps of ``sig_v2``, each a pass over the text or its tokens."""
