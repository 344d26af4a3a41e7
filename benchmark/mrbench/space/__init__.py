"""Where voxels lie: template, alignment, resampling, position."""
