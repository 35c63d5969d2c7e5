"""Many agents at work for a long time: does the server's memory stay flat, and does everything end?

`python -m bench.soak --minutes 30 --agents 50` talks with all agents at once, in every way there is, and
prints how memory, open files, tasks and runs stand over time. Flat means: after the warm-up a line through
the measured anonymous memory rises by less than a twentieth of it. At the end what clients were told is
compared with what is stored.
"""
