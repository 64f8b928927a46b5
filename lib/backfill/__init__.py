"""Rows moved to another taxonomy: routes, rules, heads. May use what `training` may."""
