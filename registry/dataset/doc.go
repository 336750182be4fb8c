// Package dataset reads the rows that a version was trained on, and describes
// them as a training profile: CSV, JSON Lines, Parquet and Arrow files, plain or
// compressed, of any length.
//
// Memory is bounded, whatever the length of the input, and the description is
// exact all the same. Rows are read in chunks, by as many workers as there are
// processors. What a chunk holds is added up in an order that does not matter:
// values of numbers are kept as distinct ones while these are few and else put
// aside in a temporary file, column by column, and so are categories. At the
// end each column is read from there, as often as it takes to find the values
// at the ranks that a profile needs (selection.go). So the same rows give the
// same bytes, whatever the chunks, workers, files and formats.
//
// Types are guessed from the first rows. Where a later row proves the guess
// wrong, the column is read once more. So inputs are read from files; standard
// input is written to a temporary one first (Spool).
package dataset
