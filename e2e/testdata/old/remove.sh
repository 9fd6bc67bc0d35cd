#!/bin/bash
# Removes what is past its removeat, with images and volumes.
for home in /root/.yourlabs.compose/*/; do
  [ -f $home/removeat ] || continue
  if [ $(cat $home/removeat) -lt $(date +%s) ]; then
    cd $home
    docker-compose down --rmi all --volumes
    rm -rf $home
  fi
done
