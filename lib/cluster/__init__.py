"""The only room that imports Ray: connecting, pools of actors, DDP workers, job server, metrics.

May use every other room but `reports`.
"""
