//! JSON patch, merge patch, strategic merge, field paths.
