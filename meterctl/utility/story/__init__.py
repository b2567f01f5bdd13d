"""The story of the desk: a utility with simulated meters, from its founding to a closed date.

`python -m meterctl.utility.story` (`make desk`) plays it. Every step is what people do with
`meterctl desk`: the same services, the same worker, the same journal. `plan.py` holds its figures,
`simulated_meters.py` runs the meters, `office.py` the desk, and each module of `scenes` is a part
of the story.
"""
