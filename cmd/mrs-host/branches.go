package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/branches"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
	"github.com/betagouv/mrs-ops/internal/hostside/generation"
)

// branchesCommand looks after the ephemeral instances. What it prints is for people, but for names, a project a line,
// list ([]hostapi.Branch) and extend ([hostapi.Branch]). Exit status: 75 where somebody works on the instance, 3 where
// there is none.
func branchesCommand(ctx context.Context, verb string, args []string) error {
	f := flag.NewFlagSet("mrs-host branches "+verb, flag.ExitOnError)
	project := f.String("project", "", "the instance's")
	who := f.String("who", "root", "asks, for the audit log")
	by := f.Duration("by", 0, "how much longer it lives")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *project != "" {
		command.Keep(hostapi.Logs, *project)
		if err := generation.Refuse(*project, filepath.Join(hostapi.Ephemerals, *project)); err != nil {
			return err
		}
	}
	syscall.Umask(0o077)
	name, _ := os.Hostname()
	s := &branches.Server{
		Engine: branches.Docker{}, Folder: hostapi.Ephemerals, Homes: []string{"/home/*", hostapi.Ephemerals + "/*"},
		Locks: hostapi.Locks, Logs: hostapi.Logs, Name: name, Now: time.Now, RemoveAll: os.RemoveAll,
		Say: func(line string) { fmt.Println(hostapi.Said(line)) },
	}
	return run(ctx, s, verb, *project, *who, *by)
}

func run(ctx context.Context, s *branches.Server, command, project, who string, by time.Duration) error {
	switch command {
	case "names":
		names, err := s.Stacks()
		for _, name := range names {
			fmt.Println(name)
		}
		return err
	case "list":
		list, err := s.List(ctx)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(list)
	case "extend":
		branch, err := s.Extend(project, by)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(branch)
	case "remove":
		return s.Remove(ctx, project, who)
	case "expire":
		return s.Expire(ctx)
	}
	return fmt.Errorf("mrs-host branches %s is not known\nhint: mrs-host says what there is", command)
}
