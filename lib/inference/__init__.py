"""One unit of a night, from its items to its shard. May use what `training` may."""
