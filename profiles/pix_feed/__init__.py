"""The patient identity feed of a registry: ITI-8 and ITI-44 (PIX and PIXV3)."""
