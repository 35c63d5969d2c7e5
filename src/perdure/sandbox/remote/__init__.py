"""Sandboxes on other machines: containers of Docker, virtual machines of providers; one for each job."""
