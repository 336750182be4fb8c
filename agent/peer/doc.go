// Package peer is what one controller asks of another.
//
// Both replicas take every sample, so neither needs the other while both are
// there. One that was away lacks two things afterwards. The agents' buffers bring
// what was measured meanwhile, but of pods that came and went nobody can say any
// more that they were there, except the replica that saw them: Memory. And what is
// older than the buffers, or was on a volume that is lost, is in the other's storage
// alone: CatchUp copies it from there, before this replica may lead.
package peer
