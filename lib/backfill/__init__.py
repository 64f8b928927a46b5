"""Rows of one taxonomy moved to another: routes, rules, the new head, one unit's scoring.

May use `evaluation`, `models`, `runs` and all below them.
"""
