package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/demo"
	"github.com/betagouv/mrs-ops/internal/engine"
	"github.com/betagouv/mrs-ops/internal/host"
)

// The images of the registry, by the names that they have elsewhere.
const (
	mrsImage      = "betagouv/mrs:master"
	postgresImage = "postgres:15"
	mailImage     = "mailhog/mailhog"
	traefikImage  = "traefik:v3.0"
)

var images = []string{mrsImage, postgresImage, mailImage, traefikImage}

// ensureImages makes this machine's engine have the images, built where they
// can't be pulled.
func ensureImages(ctx context.Context) error {
	if err := demo.Ensure(ctx, ".", []string{mrsImage, postgresImage, mailImage}, console.Say); err != nil {
		return err
	}
	if engine.Has(ctx, traefikImage) || demo.Ensure(ctx, ".", []string{traefikImage}, console.Say) == nil {
		return nil
	}
	archive, err := host.TraefikImage(ctx, runtime.GOARCH, console.Say)
	if err != nil {
		return err
	}
	console.Say("%s: from Traefik's source (it can't be pulled)", traefikImage)
	// As the role traefik imports it.
	_, err = engine.Output(ctx, "import", "--change", `ENTRYPOINT ["traefik"]`,
		"--change", "LABEL io.mrs-ops.demo=traefik", archive, traefikImage)
	return err
}

// Push makes the lab's registry have an image as this machine's engine has it,
// to rehearse the deployment of that one: as REGISTRY/NAME. Its last line on
// standard output is what the machines call it.
func Push(ctx context.Context, image string) error {
	r, err := readRegistry()
	if err != nil {
		return err
	}
	if !r.runs() {
		return errors.New("there is no registry to push to\nhint: mage lab:up")
	}
	if !engine.Has(ctx, image) {
		return fmt.Errorf("this machine's engine has no image %q\nhint: docker images lists those it has", image)
	}
	if err := r.push(ctx, image); err != nil {
		return err
	}
	console.Done("%s/%s", r.Address, image)
	return nil
}

// push makes the registry have the images as this machine's engine has them.
func (r registry) push(ctx context.Context, images ...string) error {
	// To the engine, only what is on the loopback is trusted without TLS, and
	// its configuration is not ours to change.
	near, err := forward(r.Address)
	if err != nil {
		return err
	}
	defer near.Close()
	for _, image := range images {
		name := near.Addr().String() + "/" + image
		if _, err := engine.Output(ctx, "tag", image, name); err != nil {
			return err
		}
		_, err := engine.Output(ctx, "push", "--quiet", name)
		if _, untagErr := engine.Output(context.WithoutCancel(ctx), "rmi", "--no-prune", name); err == nil {
			err = untagErr
		}
		if err != nil {
			return fmt.Errorf("%s does not get into the registry: %w\nhint: what the registry says is in %s",
				image, err, logFile)
		}
	}
	console.Say("registry %s: has %s", r.Address, strings.Join(images, ", "))
	return nil
}

// forward passes connections to a free port of the loopback on to address,
// until the listener that it returns is closed.
func forward(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go join(conn, address)
		}
	}()
	return listener, nil
}

// join joins a connection to a new one to address, until both ends are silent.
func join(near net.Conn, address string) {
	defer near.Close()
	far, err := net.Dial("tcp", address)
	if err != nil {
		return // the client sees that it is cut off
	}
	defer far.Close()
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].(*net.TCPConn).CloseWrite()
		})
	}
	both.Wait()
}
