// Package agent puts the two roles together: the node role, which finds and
// scrapes the model pods of one node and pushes what it read to the
// controllers, and the controller role, of which both replicas keep the samples
// and evaluate the rules, and one, the leader, decides and acts.
//
// It holds no judgement of its own. Rules give a verdict, the registry gives a
// match, package decide gives an action; here they are only connected.
package agent
