"""Work in progress: runs, steps, and the streams of frames they leave."""
