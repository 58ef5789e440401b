"""An attack and a camera that no line, weight or threshold may ever be set on: only `heyan-bench attacks` runs them.

They were written after the policy that they are measured against. Whoever moves a line because of what they show has to
write new ones, with code of their own.
"""
