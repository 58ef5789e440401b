"""Face image quality of photos by the components of ISO/IEC 29794-5; a live session measures `models.quality`."""
