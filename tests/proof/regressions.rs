//! Cases that were once wrong, each as a small life.
