"""The documents hold: what they tell one to type exists, what they link to is there, what they show comes out."""
