"""The OHIF viewer at /viewer: installed from its npm package, opened for certain studies, seeing those alone."""
