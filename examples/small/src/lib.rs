//! Small examples, one file each, in the folder `examples` beside this one; `examples/README.md` of
//! the repository says what each teaches.
