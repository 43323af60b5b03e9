"""`ivr demo`: the main job from end to end, held against the operator's own record."""
