"""Leaderboard tables, figures and the site."""
