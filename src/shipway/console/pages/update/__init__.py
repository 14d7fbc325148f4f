"""An update: how far it has come on devices, what failed there, what its patches save."""
