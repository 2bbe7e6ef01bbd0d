"""FER2013 from its CSV file or image folders, with the FER+ votes."""
