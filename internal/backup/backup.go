// Package backup makes, lists, proves, prunes and restores the backups of
// instances where they run, by the scripts that the deployment has put there
// (ansible/roles/backup): what a target does by day is what the timers do at
// night.
//
// It knows these scripts' names, what they take and what they list. It must not
// know how they work.
//
// The working directory is the project's root.
package backup
